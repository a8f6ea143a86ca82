// Everybody in a video: a picture each, and in the video a frame around whoever isn't shown; a click says whom to analyse.
export default function ({ data, parentElement: root, setTriggerValue }) {
  if (!data) return;
  const list = root.querySelector("ul");
  list.replaceChildren(...data.people.map(person => {
    const item = document.createElement("li"), button = document.createElement("button");
    const name = document.createElement("b"), when = document.createElement("span");
    button.setAttribute("aria-pressed", String(person.here));
    name.textContent = person.name;
    when.textContent = person.when;
    if (person.picture) {
      const image = document.createElement("img");
      image.src = person.picture;
      image.alt = "";
      button.append(image);
    }
    button.append(name, when);
    button.onclick = () => { if (!person.here) setTriggerValue("picked", person.id); };
    item.append(button);
    return item;
  }));

  // The video comes after the pictures, and when the page is drawn anew it may be another one.
  let film = null, undo = () => {};
  function look() {
    const video = document.querySelector(".st-key-player video");
    if (video === film && video?.isConnected) return;
    undo();
    film = video;
    undo = video ? follow(video, data, id => setTriggerValue("picked", id)) : () => {};
  }
  look();
  const looking = setInterval(look, 300);
  return () => { clearInterval(looking); undo(); };
}

// Beside the video, outside of this component's own styles.
const FRAME = `button.posepipe-person {
  position: absolute; display: flex; align-items: flex-start; padding: 0 .2rem; white-space: nowrap; cursor: pointer;
  font: 600 .8rem sans-serif; color: #fff; text-shadow: 0 0 3px #000, 0 0 3px #000; background: none;
  border: 2px dashed #fff; border-radius: .4rem; outline: 1px dashed #000;
}
button.posepipe-person:focus-visible { border: 3px solid #fff; outline: 4px solid #0072b2; }`;
const CONTROLS = 0.82;  // Below this share of its height a video has its own buttons.

function follow(video, data, pick) {
  const box = video.parentElement;
  box.style.position = "relative";
  box.querySelectorAll(".posepipe-person").forEach(old => old.remove());
  box.append(Object.assign(document.createElement("style"), { className: "posepipe-person", textContent: FRAME }));
  const frames = data.people.filter(person => person.places.length).map(person => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "posepipe-person";
    button.textContent = person.name;
    button.title = person.click;
    button.setAttribute("aria-label", person.click);
    button.onclick = () => pick(person.id);
    box.append(button);
    return { button, places: person.places };
  });

  function put() {
    const [wide, high] = data.size_px, now_s = video.currentTime;
    const scale = Math.min(video.clientWidth / wide, video.clientHeight / high) || 0;
    const left = video.offsetLeft + (video.clientWidth - scale * wide) / 2;
    const top = video.offsetTop + (video.clientHeight - scale * high) / 2;
    for (const { button, places } of frames) {
      const at = places.reduce((best, one) => Math.abs(one[0] - now_s) < Math.abs(best[0] - now_s) ? one : best);
      button.hidden = Math.abs(at[0] - now_s) > data.near_s;
      button.style.display = button.hidden ? "none" : "flex";
      button.style.left = `${left + scale * at[1]}px`;
      button.style.top = `${top + scale * at[2]}px`;
      button.style.width = `${Math.max(24, scale * (at[3] - at[1]))}px`;
      button.style.height = `${Math.max(24, Math.min(scale * at[4], CONTROLS * scale * high) - scale * at[2])}px`;
    }
  }

  const names = ["seeked", "timeupdate", "loadedmetadata"], sized = new ResizeObserver(put);
  names.forEach(name => video.addEventListener(name, put));
  sized.observe(video);
  put();
  return () => {
    names.forEach(name => video.removeEventListener(name, put));
    sized.disconnect();
    box.querySelectorAll(".posepipe-person").forEach(old => old.remove());
  };
}
