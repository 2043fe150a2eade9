// Copying, and ids that are too long to read.
import { announce, h, icon } from "./dom";

/** Copies, also on pages where the clipboard API is not there (plain http on an address other than localhost). */
async function copy(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "unseen", "aria-hidden": "true" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A button that copies what `text` gives at the moment of the click. what is read out: "Copy the secret". */
export function copyButton(what: string, text: () => string): HTMLButtonElement {
  const face = h("span", {}, icon("copy"));
  let back = 0;
  const show = (name: "copy" | "check") => {
    face.replaceChildren(icon(name));
    face.classList.toggle("copied", name === "check");
  };
  return h(
    "button",
    {
      type: "button",
      class: "button quiet icon",
      "aria-label": `Copy ${what}`,
      title: `Copy ${what}`,
      on: {
        click: () => {
          copy(text()).then(
            () => {
              show("check");
              announce("Copied.");
              clearTimeout(back);
              back = window.setTimeout(() => show("copy"), 2000);
            },
            () => announce("The browser did not allow copying. Select the text and copy it yourself."),
          );
        },
      },
    },
    face,
  );
}

/** An id with its middle left out: "user-test-0198…7f3a". */
export function shorten(id: string, keepStart = 14, keepEnd = 4): string {
  return id.length <= keepStart + keepEnd + 3 ? id : `${id.slice(0, keepStart)}…${id.slice(-keepEnd)}`;
}

/** A shortened id that shows itself whole on hover and is read whole, with its copy button. */
export function idValue(what: string, id: string, keepStart?: number): DocumentFragment {
  const fragment = document.createDocumentFragment();
  fragment.append(
    h("span", { class: "value mono", title: id }, h("span", { "aria-hidden": "true", text: shorten(id, keepStart) }), h("span", { class: "unseen", text: id })),
    copyButton(what, () => id),
  );
  return fragment;
}
