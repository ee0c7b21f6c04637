/** Texts for people that must fit a line: logs of other programs have many. */
const longest = 300;

export function inOneLine(text: string): string {
  const line = text.trim().replace(/\s*\n\s*/g, ' | ');
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}
