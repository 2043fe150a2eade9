// The frame that the official browser SDK's pre-built login puts into a customer's page, unseen, to have phone numbers
// read. Whoever embeds it may ask: it answers from the question alone, and knows and keeps nothing.
import { answer } from "./answer";

window.addEventListener("message", ({ data, ports }) => ports[0]?.postMessage(answer(data)));
