// A question in a dialog. The browser keeps the keyboard inside it and gives it back afterwards.
import { h } from "./dom";

interface Question {
  title: string;
  text: string;
  /** What the button does, in words: "Delete this passkey". */
  confirm: string;
  danger?: boolean;
}

/** True when the person confirms; false when they cancel, press Escape or leave. */
export function ask(question: Question): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "ask-title", "aria-describedby": "ask-text" },
      h("h2", { id: "ask-title", text: question.title }),
      h("p", { id: "ask-text", text: question.text }),
      h(
        "div",
        { class: "actions" },
        h(
          "button",
          { type: "button", class: `button ${question.danger ? "danger" : "primary"}`, on: { click: () => dialog.close("yes") } },
          question.confirm,
        ),
        h("button", { type: "button", class: "button secondary", autofocus: true, on: { click: () => dialog.close("") } }, "Cancel"),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
