/** The subject of an authority: what people see of it in lists, and in a browser. Anything that is left out has no place in it. */
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type JsonNameParams, Name } from './x509.ts';

export interface AuthoritySubject {
  readonly commonName: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly locality?: string;
  readonly state?: string;
  /** Two letters (ISO 3166). */
  readonly country?: string;
}

/** RFC 5280, appendix A.1: upper bounds. */
const longest = { commonName: 64, organization: 64, organizationalUnit: 64, locality: 128, state: 128 } as const;

/** Throws CONFIG_INVALID. */
export function authorityName(subject: AuthoritySubject): Name {
  for (const part of ['commonName', 'organization', 'organizationalUnit', 'locality', 'state'] as const) {
    const value = subject[part];
    if (value !== undefined) requirePart(part, value, longest[part]);
  }
  const { country, state, locality, organization, organizationalUnit, commonName } = subject;
  if (country !== undefined && !/^[A-Z]{2}$/.test(country)) {
    throw new UnderstudyError('CONFIG_INVALID', `${country} is no country: two capital letters are needed`);
  }
  // From the general to the special, as names of directories were once written.
  const parts: JsonNameParams = [
    ...(country === undefined ? [] : [{ C: [{ printableString: country }] }]),
    ...(state === undefined ? [] : [{ ST: [{ utf8String: state }] }]),
    ...(locality === undefined ? [] : [{ L: [{ utf8String: locality }] }]),
    ...(organization === undefined ? [] : [{ O: [{ utf8String: organization }] }]),
    ...(organizationalUnit === undefined ? [] : [{ OU: [{ utf8String: organizationalUnit }] }]),
    { CN: [{ utf8String: commonName }] },
  ];
  return new Name(parts);
}

/** As a typed string: in plain ones the library reads `#` and backslashes as syntax. Empty: no subject at all. */
export function nameOf(commonName: string): Name {
  return new Name(commonName === '' ? [] : [{ CN: [{ utf8String: commonName }] }]);
}

function requirePart(part: string, value: string, most: number): void {
  const isPrintable = value.trim() === value && value !== '' && !/[\p{C}\u2028\u2029]/u.test(value);
  if (isPrintable && [...value].length <= most) return;
  const wanted = `1 to ${most} printable characters are needed`;
  throw new UnderstudyError('CONFIG_INVALID', `the authority's ${part} ${JSON.stringify(value)}: ${wanted}`);
}
