// Every page works without this. With it, a press is sent once and says that it was heard, a question opens where it is
// asked, and a problem is read out first.

const asleep = new Map();

const wake = () => {
  for (const [button, rest] of asleep) {
    button.replaceChildren(...rest);
    button.disabled = false;
    delete button.form.dataset.sent;
  }
  asleep.clear();
};

document.addEventListener("submit", (event) => {
  const { target: form, submitter: button } = event;
  if (form.dataset.sent) return event.preventDefault();
  if (!button?.dataset.waiting) return;
  form.dataset.sent = "";
  // A moment later: a disabled button is not sent with its form.
  setTimeout(() => {
    asleep.set(button, [...button.childNodes]);
    button.replaceChildren(button.dataset.waiting);
    button.disabled = true;
  });
  // A page that never comes must not leave a dead button behind.
  setTimeout(wake, 15_000);
});

// The back button shows the page as it was left.
addEventListener("pageshow", wake);

const toggle = (question, open) => {
  question.toggleAttribute("data-open", open);
  const opener = document.querySelector(`[data-opens][href="#${question.id}"]`);
  opener.setAttribute("aria-expanded", open);
  const next = open ? question.querySelector("a, button") : opener;
  next.focus({ preventScroll: true });
};

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-opens], [data-closes]");
  if (!link) return;
  const opens = "opens" in link.dataset;
  const question = opens ? document.querySelector(link.hash) : link.closest(".confirm");
  // One that its address has opened is closed by another address.
  if (!question || question.matches(":target")) return;
  event.preventDefault();
  toggle(question, opens && !question.hasAttribute("data-open"));
});

document.addEventListener("keydown", ({ key, target }) => {
  const question = key === "Escape" && target.closest?.(".confirm[data-open]");
  if (question) toggle(question, false);
});

document.querySelector("[role=alert]")?.focus();
