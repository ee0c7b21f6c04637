/** Words of the commands that PostgreSQL has a shell run: to archive a segment, or to fetch one. Pure. */

/** PostgreSQL replaces `%p` and its like before the shell reads the line; `%%` is a percent sign. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`;
}
