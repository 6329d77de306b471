// SPDX-License-Identifier: Apache-2.0
// Detects that the page's modules do not start, shows a message and retries. It is not a module and
// uses the syntax of 2009, so that browsers without modules can run it.
(function () {
  "use strict";
  var START_TIMEOUT = 15000; // ms until a start counts as failed
  var FILE_TIMEOUT = 10000; // ms per file
  var MAX_PAUSE = 60; // s between two attempts
  var KEY = "waiting-room:starts";
  var root = document.documentElement;
  // Chrome 85, Safari 13.1 and Firefox 77 were the first with both
  var current = "noModule" in document.createElement("script") && "replaceAll" in String.prototype;
  var failing = false;
  var timer = null;

  root.setAttribute("data-watched", "");

  function started() {
    return root.getAttribute("data-started") !== null;
  }

  /** First language of the visitor that the page has. */
  function language() {
    var wanted = navigator.languages || [navigator.language || navigator.userLanguage];
    var options = part("language").options;
    for (var at = 0; at < wanted.length; at += 1)
      for (var one = 0; one < options.length; one += 1)
        if (String(wanted[at]).split("-")[0].toLowerCase() === options[one].value) return options[one].value;
    return "en";
  }

  function part(id) {
    return document.getElementById(id);
  }

  function whenReady(work) {
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", work);
    else work();
  }

  /** Show the failure in the visitor's language; in all languages if its file does not load. */
  function say() {
    var request = new XMLHttpRequest();
    request.open("GET", "words/" + language() + ".json");
    request.timeout = FILE_TIMEOUT;
    request.onloadend = function () {
      if (started()) return;
      try {
        show(JSON.parse(request.responseText));
      } catch (error) {
        showInAll();
      }
    };
    request.send();
  }

  function show(words) {
    if (!words.not_loaded) throw new Error("not the file");
    root.setAttribute("lang", words.tag);
    root.setAttribute("dir", words.dir);
    part("trouble-text").textContent = words.not_loaded;
    part("retry").textContent = words.retry;
    part("trouble").hidden = false;
  }

  function showInAll() {
    root.removeAttribute("data-watched");
    part("late").style.animation = "none";
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
      part("card").hidden = !current;
      if (!current) return showInAll();
      say();
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

  /** A failed module stays failed in this document: reload the script, then the document. */
  function again() {
    if (started()) return;
    clearTimeout(timer);
    part("retry").disabled = true;
    var request = new XMLHttpRequest();
    request.open("GET", "page.js");
    request.setRequestHeader("Cache-Control", "no-cache"); // bypass caches
    request.timeout = FILE_TIMEOUT;
    request.onloadend = function () {
      var type = request.getResponseHeader("Content-Type") || "";
      if (started()) return;
      if (request.status === 200 && type.indexOf("javascript") >= 0) location.reload();
      else wait(MAX_PAUSE / 4);
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
