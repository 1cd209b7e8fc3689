// Runs before the first paint: theme and sidebar as they were left, and the mark that scripts run.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("stet.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (localStorage.getItem("stet.sidebar") === "closed" && !matchMedia("(max-width: 759px)").matches) root.dataset.sidebar = "closed";
  } catch { /* storage is refused: the defaults stand */ }
})();
