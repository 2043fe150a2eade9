import { oneTapStart, oneTapSubmit, Refused } from "./onetap";
import { getExamplePhoneNumber, parsedPhoneNumber } from "./phone";

/** What goes back through the port of a question. The SDK makes of `error` one of its own, by its name. */
export type Answer =
  | { success: true; payload: unknown }
  | { success: false; error: { name: string; message: string; [more: string]: unknown } };

const methods = new Map<unknown, (request: Record<string, unknown>, page: string) => unknown>([
  ["parsedPhoneNumber", parsedPhoneNumber],
  ["getExamplePhoneNumber", getExamplePhoneNumber],
  ["oneTapStart", oneTapStart],
  ["oneTapSubmit", oneTapSubmit],
]);

/**
 * Answers a question as it came from another page: {method, args: [request]}. page is that page's origin. What cannot
 * be answered is refused at once, since the SDK waits for as long as nothing comes.
 */
export async function answer(question: unknown, page: string): Promise<Answer> {
  const { method, args } = object(question);
  try {
    const call = methods.get(method);
    if (!call) throw new TypeError("This method is not there.");
    return { success: true, payload: await call(object(Array.isArray(args) ? args[0] : null), page) };
  } catch (e) {
    if (e instanceof Refused) return { success: false, error: { ...e.details, name: e.name, message: e.message } };
    return { success: false, error: { name: "TypeError", message: e instanceof Error ? e.message : String(e) } };
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
