/**
 * Which statements a text consists of, and which of them begin or end a transaction. Pure.
 *
 * Invariant: a semicolon within quotes, within a dollar-quoted text or within a comment ends nothing (documentation 4.1).
 * Knows nothing else of the language: the server judges.
 */

/** `alone`: whatever else can't be put into a transaction. */
export type StatementKind = 'begin' | 'commit' | 'alone' | 'other';

export interface Statement {
  readonly kind: StatementKind;
  /** Without its semicolon, and without comments before it. */
  readonly text: string;
  /** Where the text behind its semicolon begins. */
  readonly end: number;
}

/** Texts whose semicolons don't count. A doubled quote ends one text and begins the next. */
const escaped = /[eE]'(?:[^'\\]|\\[\s\S])*'?/y;
const quoted = /'[^']*'?|"[^"]*"?/y;
const dollarTag = /\$(?:[a-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/iy;
const word = /[\w$\u0080-\uffff]+/y;
const lineComment = /--[^\n]*/y;

export function statementsOf(sql: string): readonly Statement[] {
  const statements: Statement[] = [];
  let start = 0;
  for (let at = 0; at <= sql.length; ) {
    if (at === sql.length || sql[at] === ';') {
      const text = withoutLeadingComments(sql.slice(start, at)).trim();
      start = Math.min(at + 1, sql.length);
      if (text !== '') statements.push({ kind: kindOf(text), text, end: start });
      at += 1;
    } else at = beyond(sql, at);
  }
  return statements;
}

/** Whether a BEGIN says that nothing will be written. */
export function isReadOnlyBegin({ kind, text }: Statement): boolean {
  return kind === 'begin' && /\bread\s+only\b/i.test(text);
}

function kindOf(text: string): StatementKind {
  if (/^(begin|start\s+transaction)\b/i.test(text)) return 'begin';
  if (/^(commit|end)\b(?!\s+prepared\b)/i.test(text)) return 'commit';
  if (/^(rollback|abort|discard|vacuum|commit)\b/i.test(text)) return 'alone';
  return 'other';
}

/** Where the piece that begins at `at` ends. */
function beyond(sql: string, at: number): number {
  for (const piece of [lineComment, escaped, quoted]) {
    const end = endOf(piece, sql, at);
    if (end !== null) return end;
  }
  if (sql.startsWith('/*', at)) return endOfBlock(sql, at);
  const tag = endOf(dollarTag, sql, at);
  if (tag !== null) {
    const close = sql.indexOf(sql.slice(at, tag), tag);
    return close < 0 ? sql.length : close + tag - at;
  }
  // A word as a whole: the $ in it begins no text, nor does the e at its end.
  return endOf(word, sql, at) ?? at + 1;
}

function endOf(piece: RegExp, sql: string, at: number): number | null {
  piece.lastIndex = at;
  return piece.test(sql) ? piece.lastIndex : null;
}

/** Comments of this kind nest. */
function endOfBlock(sql: string, at: number): number {
  let depth = 0;
  for (let next = at; next < sql.length; ) {
    if (sql.startsWith('/*', next)) depth += 1;
    else if (sql.startsWith('*/', next)) depth -= 1;
    else {
      next += 1;
      continue;
    }
    next += 2;
    if (depth === 0) return next;
  }
  return sql.length;
}

function withoutLeadingComments(text: string): string {
  let rest = text.trimStart();
  while (rest.startsWith('--') || rest.startsWith('/*')) {
    const end = rest.startsWith('--') ? (endOf(lineComment, rest, 0) ?? rest.length) : endOfBlock(rest, 0);
    rest = rest.slice(end).trimStart();
  }
  return rest;
}
