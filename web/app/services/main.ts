// The frame that the official browser SDK puts into a customer's page, unseen, to have phone numbers read and to sign in
// with Google One Tap. Whoever embeds it may ask. Numbers it reads from the question alone; with One Tap it calls the
// server, which decides whether the page may.
import { answer } from "./answer";

window.addEventListener("message", ({ data, ports, origin }) => {
  const [port] = ports;
  if (port) void answer(data, origin).then((reply) => port.postMessage(reply));
});
