// Search while the shopper types.
import { show } from "/static/shop.js";

const box = document.getElementById("search");
box.style.maxWidth = "19rem";
box.addEventListener("input", async () => {
  const answer = await fetch(`/api/search?q=${encodeURIComponent(box.value)}`);
  if (answer.ok) show((await answer.json()).results);
});
