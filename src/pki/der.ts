/** Writes DER (X.690 section 8): the few forms that are needed where the X.509 library is not loaded. Nothing is read here. */

/** Tag, length, content. */
export function element(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), content]);
}

export function sequence(...contents: readonly Buffer[]): Buffer {
  return element(0x30, ...contents);
}

export function octets(content: Buffer): Buffer {
  return element(0x04, content);
}

/** Of whole bytes. */
export function bits(content: Buffer): Buffer {
  return element(0x03, Buffer.of(0), content);
}

/** `encoded`: the identifier's content, in hexadecimal. */
export function identifier(encoded: string): Buffer {
  return element(0x06, Buffer.from(encoded, 'hex'));
}

/** With a zero before it where its first bit would read as a sign. */
export function integer(value: number): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return element(0x02, (bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

export function pem(label: string, der: Buffer): string {
  const body = der.toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
}
