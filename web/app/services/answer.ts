import { getExamplePhoneNumber, parsedPhoneNumber } from "./phone";

/** What goes back through the port of a question. The SDK makes of `error` one of its own, by its name. */
export type Answer = { success: true; payload: unknown } | { success: false; error: { name: string; message: string } };

const methods = new Map<unknown, (request: Record<string, unknown>) => unknown>([
  ["parsedPhoneNumber", parsedPhoneNumber],
  ["getExamplePhoneNumber", getExamplePhoneNumber],
]);

/**
 * Answers a question as it came from another page: {method, args: [request]}. What cannot be answered is refused at
 * once, since the SDK waits for as long as nothing comes.
 */
export function answer(question: unknown): Answer {
  const { method, args } = object(question);
  try {
    const call = methods.get(method);
    if (!call) throw new TypeError("This method is not there.");
    return { success: true, payload: call(object(Array.isArray(args) ? args[0] : null)) };
  } catch (e) {
    return { success: false, error: { name: "TypeError", message: e instanceof Error ? e.message : String(e) } };
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
