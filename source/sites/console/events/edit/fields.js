// SPDX-License-Identifier: Apache-2.0
/** Fields of the form, derived from the schema of an event document. */

import { choiceText } from './values.js';

/** Return the fields of a schema: `{path, group, label, help, unit, kind, schema}`, in its order. */
export function fieldsOf(schema, path = [], parent = null) {
  return Object.entries(schema.properties).flatMap(([name, member]) => {
    if (member.readOnly) return [];
    const own = [...path, name];
    return member.properties ? fieldsOf(member, own, member) : [field(own, member, parent)];
  });
}

/** Return the groups of fields: `{name, label, help, fields}`; members without a group come first. */
export function groupsOf(schema, fields = fieldsOf(schema)) {
  const names = [...new Set(fields.map((one) => one.group))];
  return names.map((name) => ({
    name,
    label: name ? labelOf(name, schema.properties[name]) : 'General',
    help: schema.properties[name]?.properties ? schema.properties[name].description ?? '' : '', // else at the field
    fields: fields.filter((one) => one.group === name),
  }));
}

/** Return a document in which each member has its default value. */
export function defaultsOf(schema) {
  return Object.fromEntries(Object.entries(schema.properties).map(([name, member]) => [
    name, 'default' in member ? structuredClone(member.default) : defaultsOf(member),
  ]));
}

function field(path, schema, parent = null) {
  const own = path.at(-1);
  const simple = parent !== null || ['string', 'boolean'].includes(schema.type) || schema.enum;
  return {
    path: path.join('.'),
    group: parent ? path[0] : simple ? '' : own,
    label: path.length > 2 ? `${labelOf(path.at(-2), parent)}: ${labelOf(own, schema)}` : labelOf(own, schema),
    help: (schema.enum ?? []).reduce((text, one) => text.replaceAll(one, choiceText(one)), schema.description ?? ''),
    unit: schema['x-unit'] ?? '',
    kind: kindOf(schema),
    schema,
  };
}

function kindOf(schema) {
  const types = [schema.type].flat();
  if (schema.enum) return 'choice';
  if (schema['x-unit'] === 'epoch seconds') return 'time';
  if (types.includes('integer')) return 'number';
  if (types.includes('boolean')) return 'flag';
  if (types.includes('string')) return schema['x-lines'] ? 'lines' : 'text';
  return types.includes('array') && schema.items?.type === 'string' ? 'list' : 'json';
}

function labelOf(name, schema) {
  if (schema?.title) return schema.title;
  const words = name.replaceAll('_', ' ');
  return words[0].toUpperCase() + words.slice(1);
}
