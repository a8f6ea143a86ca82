// The live page's large panel. Called again whenever the data change.
const LEVELS = ["frame", "view", "joint", "form"];

function put(root, selector, text) {
  const element = root.querySelector(selector);
  if (element.textContent !== text) element.textContent = text;
}

function beep() {
  const context = (window.posepipeAudio ||= new AudioContext());
  const tone = context.createOscillator(), volume = context.createGain(), now = context.currentTime;
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.25, now);
  volume.gain.exponentialRampToValueAtTime(0.001, now + 0.18);
  tone.connect(volume).connect(context.destination);
  tone.start(now);
  tone.stop(now + 0.2);
}

function speak(text, language) {
  // Only voices of this machine: others would send the text away.
  const voices = speechSynthesis.getVoices().filter(voice => voice.localService);
  const voice = voices.find(one => one.lang.startsWith(language));
  if (!voice) { beep(); return; }
  const words = new SpeechSynthesisUtterance(text);
  words.voice = voice;
  speechSynthesis.cancel();
  speechSynthesis.speak(words);
}

// The browser alone knows whether it will give its camera.
async function lookForCamera(panel, hint) {
  let said = "";
  if (panel.hints) {
    if (!navigator.mediaDevices) said = panel.hints.insecure;
    else {
      const devices = await navigator.mediaDevices.enumerateDevices();
      const answer = await navigator.permissions.query({ name: "camera" }).catch(() => ({ state: "unknown" }));
      if (!devices.some(device => device.kind === "videoinput")) said = panel.hints.missing;
      else if (answer.state === "denied") said = panel.hints.denied;
    }
  }
  if (hint.textContent !== said) hint.textContent = said;
  hint.hidden = !said;
}

export default function ({ data, parentElement: root }) {
  if (!data) return;
  const panel = root.querySelector(".panel");
  put(root, ".exercise", data.exercise);
  put(root, ".count", String(data.count));
  put(root, ".unit", data.unit);
  put(root, ".verdict", data.verdict);
  put(root, ".say", data.say);
  put(root, ".speed", data.speed);
  root.querySelector(".say").className = "say " + data.level;
  const at = data.level === "good" ? LEVELS.length : LEVELS.indexOf(data.level);
  root.querySelectorAll("li").forEach((item, k) => {
    if (item.textContent !== data.ladder[k]) item.textContent = data.ladder[k];
    item.className = k < at ? "done" : k === at ? "now" : "";
  });
  panel.hints = data.hints;
  const hint = root.querySelector(".hint");
  lookForCamera(panel, hint);
  if (!panel.dataset.total) setInterval(() => { if (panel.isConnected) lookForCamera(panel, hint); }, 2000);
  const before = panel.dataset.total === undefined ? data.total : +panel.dataset.total;
  panel.dataset.total = data.total;
  if (data.total > before && data.sound === "beep") beep();
  if (data.total > before && data.sound === "speak") speak(String(data.count), data.language);
}
