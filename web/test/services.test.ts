import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { getCountries } from "libphonenumber-js/min";
import { answer } from "../app/services/answer";
import { getExamplePhoneNumber, parsedPhoneNumber } from "../app/services/phone";

describe("a number that is typed", () => {
  const typed: [string, string | undefined, string, string][] = [
    ["2025550123", "US", "+12025550123", "(202) 555-0123"],
    ["(202) 555-0123", "US", "+12025550123", "(202) 555-0123"],
    ["1 202 555 0123", "US", "+12025550123", "(202) 555-0123"],
    ["+12025550123", "US", "+12025550123", "(202) 555-0123"],
    ["+12025550123", undefined, "+12025550123", "(202) 555-0123"],
    ["876 555 0123", "US", "+18765550123", "(876) 555-0123"],
    ["020 7946 0958", "GB", "+442079460958", "020 7946 0958"],
    ["+44 20 7946 0958", "US", "+442079460958", "+44 20 7946 0958"],
    ["+1 202 555 0123", "GB", "+12025550123", "+1 202 555 0123"],
    ["02 1234 5678", "IT", "+390212345678", "02 1234 5678"],
    [" 202-555-0123 ", "US", "+12025550123", "(202) 555-0123"],
  ];
  for (const [text, region, number, national] of typed) {
    test(`${text} in ${region ?? "no region"} is ${number}`, () => {
      assert.deepEqual(parsedPhoneNumber({ phoneNumber: text, regionCode: region }), { isValid: true, number, national });
    });
  }

  const unfinished = ["", "2", "202555012", "20255501234", "+", "+1", "+44 20", "ada@example.com", "call 202 555 0123", "９", "0".repeat(1000)];
  for (const text of unfinished) {
    test(`${JSON.stringify(text.slice(0, 20))} is left as it is`, () => {
      assert.deepEqual(parsedPhoneNumber({ phoneNumber: text, regionCode: "US" }), { isValid: false, number: "", national: text });
    });
  }

  test("what the field shows is read as the same number again, whatever region is chosen", () => {
    const numbers = getCountries().flatMap((region) => {
      const example = getExamplePhoneNumber({ regionCode: region }).phoneNumber;
      return example ? [parsedPhoneNumber({ phoneNumber: example, regionCode: region }).number] : [];
    });
    assert.ok(numbers.length > 200 && numbers.every((number) => number.startsWith("+")));
    for (const regionCode of getCountries()) {
      for (const number of numbers) {
        const first = parsedPhoneNumber({ phoneNumber: number, regionCode });
        const again = parsedPhoneNumber({ phoneNumber: first.national, regionCode });
        assert.deepEqual([first.number, again.number, again.national], [number, number, first.national], `${number} in ${regionCode}`);
      }
    }
  });

  test("an example of a region is a number of it", () => {
    assert.deepEqual(getExamplePhoneNumber({ regionCode: "US" }), { phoneNumber: "(201) 555-0123" });
    assert.deepEqual(getExamplePhoneNumber({ regionCode: "GB" }), { phoneNumber: "07400 123456" });
  });
});

describe("a question from another page", () => {
  const page = "https://app.example.com";

  test("is answered in the SDK's form", async () => {
    assert.deepEqual(await answer({ method: "parsedPhoneNumber", args: [{ phoneNumber: "2025550123", regionCode: "US" }] }, page), {
      success: true,
      payload: { isValid: true, number: "+12025550123", national: "(202) 555-0123" },
    });
    assert.deepEqual(await answer({ method: "getExamplePhoneNumber", args: [{ regionCode: "CA" }] }, page), {
      success: true,
      payload: { phoneNumber: "(506) 234-5678" },
    });
  });

  const strange: [string, unknown][] = [
    ["a method that is not there", { method: "oneTapPlay", args: [{ publicToken: "x" }] }],
    ["a property that every object has", { method: "constructor", args: [{}] }],
    ["no question", null],
    ["a text", "parsedPhoneNumber"],
    ["no arguments", { method: "parsedPhoneNumber" }],
    ["arguments of another kind", { method: "parsedPhoneNumber", args: [{ phoneNumber: 2025550123 }] }],
    ["a region that no number is known of", { method: "parsedPhoneNumber", args: [{ phoneNumber: "2025550123", regionCode: "UM" }] }],
    ["no public token", { method: "oneTapStart", args: [{}] }],
    ["nothing that Google has given", { method: "oneTapSubmit", args: [{ oauthCallbackID: "x" }] }],
    ["a region that is none", { method: "getExamplePhoneNumber", args: [{ regionCode: "__proto__" }] }],
  ];
  for (const [name, question] of strange) {
    test(`with ${name} is refused, not left waiting`, async () => {
      const got = await answer(question, page);
      assert.ok(!got.success);
      assert.equal(got.error.name, "TypeError");
      assert.ok(got.error.message);
    });
  }
});
