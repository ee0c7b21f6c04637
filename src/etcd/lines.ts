/** The lines of a stream of bytes, as they become whole. Refuses a line without end, with a RangeError. */
const longestLine = 64 * 1024 * 1024;

export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let length = 0;
  for await (const chunk of body) {
    const [head = '', ...rest] = decoder.decode(chunk, { stream: true }).split('\n');
    pieces.push(head);
    length += head.length;
    for (const piece of rest) {
      const line = pieces.join('');
      pieces = [piece];
      length = piece.length;
      if (line.trim() !== '') yield line;
    }
    if (length > longestLine) throw new RangeError(`a line of more than ${longestLine} characters`);
  }
}
