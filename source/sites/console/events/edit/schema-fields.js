// SPDX-License-Identifier: Apache-2.0
/** The schema of an event document, and its fields. */

import schema from '../../../../../docs/event.schema.json' with { type: 'json' };
import { fieldsOf } from './fields.js';

export { schema };
export const FIELDS = fieldsOf(schema);
