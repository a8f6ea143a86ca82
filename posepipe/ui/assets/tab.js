// A browser's tab remembers the code of its session, over a reload too. In the page's address the code would be one
// more entry of the tab's history: the back button would have to be pressed twice.
const KEY = "posepipe-session";

export default function ({ data, setStateValue }) {
  if (!data) return;
  const before = sessionStorage.getItem(KEY) || "";
  if (before === data.code) return;
  sessionStorage.setItem(KEY, data.code);
  if (before) setStateValue("before", before);
}
