// SPDX-License-Identifier: Apache-2.0
// Detects that the page's modules do not start, shows a message and retries. It is not a module and
// uses the syntax of 2009, so that browsers without modules can run it.
(function () {
  "use strict";
  var START_TIMEOUT = 15000; // ms until a start counts as failed
  var FILE_TIMEOUT = 10000; // ms per file
  var MAX_PAUSE = 60; // s between two attempts
  var KEY = "waiting-room:starts";
  var TEXTS = {
    en: ["This page did not load completely. We will keep trying.", "Try now", "This browser is too old for the waiting room. Please use a current version of Chrome, Edge, Firefox or Safari."],
    de: ["Diese Seite wurde nicht vollständig geladen. Wir versuchen es weiter.", "Jetzt versuchen", "Dieser Browser ist zu alt für den Warteraum. Bitte verwenden Sie eine aktuelle Version von Chrome, Edge, Firefox oder Safari."],
    es: ["Esta página no se ha cargado por completo. Seguimos intentándolo.", "Intentar ahora", "Este navegador es demasiado antiguo para la sala de espera. Utilice una versión actual de Chrome, Edge, Firefox o Safari."],
    fr: ["Cette page ne s’est pas chargée entièrement. Nous réessayons automatiquement.", "Réessayer maintenant", "Ce navigateur est trop ancien pour la salle d’attente. Veuillez utiliser une version récente de Chrome, Edge, Firefox ou Safari."],
    ja: ["ページを読み込めませんでした。自動的に再試行しています。", "今すぐ再試行", "お使いのブラウザは古いため、ご利用いただけません。最新のChrome、Edge、Firefox、Safariをご利用ください。"],
    ko: ["페이지를 불러오지 못했습니다. 자동으로 다시 시도하고 있습니다.", "지금 다시 시도", "사용 중인 브라우저가 오래되어 이용할 수 없습니다. 최신 버전의 Chrome, Edge, Firefox 또는 Safari를 사용해 주세요."]
  };
  var root = document.documentElement;
  // Chrome 85, Safari 13.1 and Firefox 77 were the first with both
  var current = "noModule" in document.createElement("script") && "replaceAll" in String.prototype;
  var failing = false;
  var timer = null;

  root.setAttribute("data-watched", "");

  function started() {
    return root.getAttribute("data-started") !== null;
  }

  function language() {
    var tag = String(navigator.language || navigator.userLanguage || "en").slice(0, 2).toLowerCase();
    return TEXTS.hasOwnProperty(tag) ? tag : "en";
  }

  function part(id) {
    return document.getElementById(id);
  }

  function whenReady(work) {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", work);
    else work();
  }

  function say(which) {
    var tag = language();
    root.setAttribute("lang", tag);
    part("trouble-text").textContent = TEXTS[tag][which];
    part("retry").textContent = TEXTS[tag][1];
    part("retry").hidden = which === 2;
    part("trouble").hidden = false;
    if (which === 2) part("card").hidden = true;
  }

  /** Count the attempts of this tab to start within ten minutes, including this one. */
  function count() {
    try {
      var kept = (sessionStorage.getItem(KEY) || "0 0").split(" ");
      var tries = new Date().getTime() - Number(kept[1]) < 600000 ? Number(kept[0]) + 1 : 1;
      sessionStorage.setItem(KEY, tries + " " + new Date().getTime());
      return tries;
    } catch (error) {
      return 5; // no storage: retry slowly
    }
  }

  function fail() {
    if (failing || started()) return;
    failing = true;
    whenReady(function () {
      if (started()) return;
      if (!current) return say(2);
      say(0);
      part("retry").addEventListener("click", again);
      var tries = count();
      wait(Math.min(MAX_PAUSE, Math.pow(2, tries)));
    });
  }

  function wait(seconds) {
    clearTimeout(timer);
    part("retry").disabled = false;
    timer = setTimeout(again, seconds * 1000 * (0.75 + Math.random() / 2));
  }

  /** A failed module stays failed in this document: reload the files, then the document. */
  function again() {
    if (started()) return;
    clearTimeout(timer);
    part("retry").disabled = true;
    var files = document.querySelectorAll("link[rel=modulepreload], script[type=module]");
    var left = files.length;
    var good = true;
    function found(one) {
      good = good && one;
      left -= 1;
      if (left > 0 || started()) return;
      if (good) location.reload();
      else wait(MAX_PAUSE / 4);
    }
    for (var at = 0; at < files.length; at += 1) check(files[at].href || files[at].src, found);
  }

  function check(address, found) {
    var request = new XMLHttpRequest();
    request.open("GET", address);
    request.setRequestHeader("Cache-Control", "no-cache"); // bypass caches
    request.timeout = FILE_TIMEOUT;
    request.onloadend = function () {
      var type = request.getResponseHeader("Content-Type") || "";
      found(request.status === 200 && type.indexOf("javascript") >= 0);
    };
    request.send();
  }

  window.addEventListener(
    "error",
    function (event) {
      var of = event.target;
      var lost = of && of.tagName === "SCRIPT"; // this event does not bubble, hence the capture
      var own = String(event.filename).indexOf(location.protocol + "//" + location.host + "/") === 0;
      var unread = own && /SyntaxError|Unexpected/i.test(event.message);
      if (lost || unread) fail();
    },
    true
  );
  if ("noModule" in document.createElement("script")) setTimeout(fail, START_TIMEOUT);
  else fail();
})();
