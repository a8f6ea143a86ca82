// Everybody in a video: a picture each; a click says whom to analyse.
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
}
