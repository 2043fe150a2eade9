// Phone numbers as people type them. They are read here and not by the server because the pre-built login takes over
// what was typed only once it is answered: whoever is quick on a slow network would send a number without its end.
import { getCountryCallingCode, getExampleNumber, isSupportedCountry, parsePhoneNumberFromString, type CountryCode } from "libphonenumber-js/min";
import examples from "libphonenumber-js/mobile/examples";

export interface Parsed {
  isValid: boolean;
  /** In E.164; "" unless valid. */
  number: string;
  /** What the text field shows from now on. */
  national: string;
}

/**
 * Reads a number typed in the region that is chosen beside the field, or without one, a number in E.164. Only what is
 * complete is written anew, so that nothing changes under somebody who is still typing. The server has the last word
 * on whether it can be anybody's.
 */
export function parsedPhoneNumber({ phoneNumber, regionCode }: { phoneNumber?: unknown; regionCode?: unknown }): Parsed {
  if (typeof phoneNumber !== "string") throw new TypeError("phoneNumber must be a string.");
  const region = regionCode === undefined ? undefined : supported(regionCode);
  const found = parsePhoneNumberFromString(phoneNumber, { extract: false, ...(region && { defaultCountry: region }) });
  if (!found?.isValid()) return { isValid: false, number: "", national: phoneNumber };
  // A number of elsewhere, typed with its plus, keeps it: the field's text is read once more when it is sent.
  const here = !region || getCountryCallingCode(region) === found.countryCallingCode;
  return { isValid: true, number: found.number, national: here ? found.formatNational() : found.formatInternational() };
}

/** What a number of the region looks like, for the empty field. */
export function getExamplePhoneNumber({ regionCode }: { regionCode?: unknown }): { phoneNumber?: string } {
  const example = getExampleNumber(supported(regionCode), examples);
  return example ? { phoneNumber: example.formatNational() } : {};
}

/** Of a region that nothing is known about, the SDK puts calling code and text together itself. */
function supported(regionCode: unknown): CountryCode {
  if (typeof regionCode !== "string" || !isSupportedCountry(regionCode)) throw new TypeError("Nothing is known about numbers of this region.");
  return regionCode;
}
