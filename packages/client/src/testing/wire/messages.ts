/** The few messages that the fake cluster reads or makes itself (documentation 55.7). Pure. */
import { WireError } from './frames.ts';

export type TransactionStatus = 'I' | 'T' | 'E';

/** What a client may begin with. */
export const startupCodes = { protocol3: 3, cancel: 80_877_102, ssl: 80_877_103, gssenc: 80_877_104 } as const;

export const terminate = message('X', Buffer.alloc(0));

export function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(type.length + 4);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, type.length);
  return Buffer.concat([head, body]);
}

export function query(text: string): Buffer {
  return message('Q', cstring(text));
}

export function readyForQuery(status: TransactionStatus): Buffer {
  return message('Z', Buffer.from(status, 'latin1'));
}

export function statusOf(readyBody: Buffer): TransactionStatus {
  const status = readyBody.toString('latin1');
  if (status !== 'I' && status !== 'T' && status !== 'E') throw new WireError('a server that is ready for nothing');
  return status;
}

/** Fields by their letters: `C` is the SQLSTATE, `R` the routine (documentation 55.8). */
export function notice(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).map(([letter, value]) => cstring(`${letter}${value}`));
  return message('N', Buffer.concat([...parts, Buffer.alloc(1)]));
}

export function cancelRequest(backendKey: Buffer): Buffer {
  const code = Buffer.alloc(4);
  code.writeInt32BE(startupCodes.cancel);
  return message('', Buffer.concat([code, backendKey]));
}

/** A start-up message whose session begins with this setting as well. */
export function startupWith(body: Buffer, setting: string): Buffer {
  const words = body.toString('utf8', 4).split('\0');
  const at = words.findIndex((word, index) => index % 2 === 0 && word === 'options');
  const parameters = words.slice(0, words.indexOf(''));
  if (at < 0) parameters.push('options', `-c ${setting}`);
  else parameters[at + 1] = `${words[at + 1] ?? ''} -c ${setting}`;
  const text = parameters.map((word) => `${word}\0`).join('');
  return message('', Buffer.concat([body.subarray(0, 4), cstring(text)]));
}

/** The text of a Query message. */
export function queryText(body: Buffer): string {
  return cut(body, 0).text;
}

export interface ParseMessage {
  /** '' is the unnamed statement. */
  readonly name: string;
  readonly text: string;
}

export function parseOf(body: Buffer): ParseMessage {
  const name = cut(body, 0);
  return { name: name.text, text: cut(body, name.end).text };
}

/** The same message with another text. */
export function parseWith(body: Buffer, text: string): Buffer {
  const name = cut(body, 0);
  const { end } = cut(body, name.end);
  return message('P', Buffer.concat([body.subarray(0, name.end), cstring(text), body.subarray(end)]));
}

/** Of a Bind message: the name of the statement that is to be run. */
export function boundStatement(body: Buffer): string {
  return cut(body, cut(body, 0).end).text;
}

/** Such as `COMMIT` or `INSERT 0 1`. */
export function commandTag(body: Buffer): string {
  return cut(body, 0).text;
}

function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf8');
}

function cut(body: Buffer, start: number): { readonly text: string; readonly end: number } {
  const end = body.indexOf(0, start);
  if (end < 0) throw new WireError('a text without its end');
  return { text: body.toString('utf8', start, end), end: end + 1 };
}
