// The shelf, the cart and the checkout.
export const money = (cents) => `${(cents / 100).toFixed(2)} €`;
const $ = (id) => document.getElementById(id);
const cart = new Map();
let products = [];

const make = (tag, text = "", className = "") =>
  Object.assign(document.createElement(tag), { textContent: text, className });

function card(product) {
  const article = make("article");
  article.dataset.sku = product.sku;
  article.style.setProperty("--hue", product.hue);
  const body = make("div", "", "body");
  const row = make("div", "", "row");
  const button = make("button", "Add");
  button.addEventListener("click", () => add(product.sku));
  row.append(make("strong", money(product.cents)), button);
  body.append(make("h3", product.name), make("p", product.words), row);
  article.append(make("div", "", "picture"), body);
  return article;
}

export function show(list) {
  $("shelf").replaceChildren(...list.map(card));
  document.dispatchEvent(new CustomEvent("shelf"));
}

function add(sku) {
  cart.set(sku, (cart.get(sku) ?? 0) + 1);
  drawCart();
}

function drawCart() {
  const lines = [...cart].map(([sku, quantity]) => [products.find((one) => one.sku === sku), quantity]);
  $("cart").replaceChildren(...lines.map(([product, quantity]) => {
    const line = make("li");
    line.append(make("span", `${quantity} × ${product.name}`), make("span", money(product.cents * quantity)));
    return line;
  }));
  $("sum").textContent = lines.length ? money(lines.reduce((sum, [one, many]) => sum + one.cents * many, 0)) : "Nothing yet";
}

const post = (url, body) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

function tell(text, good) {
  $("answer").textContent = text;
  $("answer").className = good ? "good" : "bad";
}

async function buy(event) {
  event.preventDefault();
  const login = await post("/api/login", Object.fromEntries(new FormData($("order"))));
  if (!login.ok) return tell("Name or password is wrong.", false);
  const items = [...cart].map(([sku, quantity]) => ({ sku, quantity }));
  const answer = await post("/api/checkout", { items });
  const body = await answer.json().catch(() => ({}));
  if (answer.status !== 201) return tell(body.error ?? "Your order did not go through. You have not been charged.", false);
  cart.clear();
  drawCart();
  return tell(`Thank you. Order ${body.order} is paid: ${money(body.total_cents)}.`, true);
}

$("order").addEventListener("submit", buy);
products = await (await fetch("/api/products")).json();
show(products);
drawCart();
