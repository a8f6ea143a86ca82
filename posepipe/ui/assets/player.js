// Stands in the report that is shown beside the annotated video: both always show the same moment.
"use strict";
(() => {
  const video = window.parent.document.querySelector(".st-key-player video");
  const WORDS = JSON.parse(document.getElementById("words").textContent);
  const people = JSON.parse(document.getElementById("data").textContent);
  const sliders = people.map(person => document.querySelector(`#person-${person.id} .viewer input`));
  if (!video || !people.length) return;

  function nearest(times, time) {
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < time) low = middle + 1; else high = middle;
    }
    return low > 0 && time - times[low - 1] < times[low] - time ? low - 1 : low;
  }

  let following = false;
  function follow() {
    following = true;
    people.forEach((person, k) => {
      const index = nearest(person.time_s, video.currentTime);
      if (+sliders[k].value === index) return;
      sliders[k].value = index;
      sliders[k].dispatchEvent(new Event("input"));
    });
    following = false;
    if (!video.paused) requestAnimationFrame(follow);
  }

  function lead(k) {
    if (following) return;
    video.pause();
    video.currentTime = people[k].time_s[+sliders[k].value];
  }

  for (const name of ["play", "seeked", "timeupdate"]) video.addEventListener(name, follow);
  sliders.forEach((slider, k) => slider.addEventListener("input", () => lead(k)));
  people.forEach((person, k) => {
    const section = document.getElementById("person-" + person.id);
    // The report has moved its own slider by the time this runs.
    for (const plot of section.querySelectorAll(".plots svg")) plot.addEventListener("pointerdown", () => lead(k));
    // One thing plays: the video.
    const button = section.querySelector("[data-do=play]");
    if (button) button.addEventListener("click", event => {
      event.stopImmediatePropagation();
      if (video.paused) video.play(); else video.pause();
    }, true);
    for (const name of ["play", "pause"]) video.addEventListener(name, () => {
      if (button) button.textContent = WORDS[video.paused ? "Play" : "Pause"];
    });
  });
})();
