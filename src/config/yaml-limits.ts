/**
 * Refuses text that the YAML library could only read at a cost: some kilobytes of nested brackets overflow its stack, and
 * that ends the whole process. Nothing here builds a tree; the text is looked at token by token.
 */
import { CST, Lexer } from 'yaml';

/** A cluster of several hundred nodes needs a tenth of it. */
export const maxBytes = 512 * 1024;
const maxFlowDepth = 32;
const maxColumn = 120;
const maxTokens = 200_000;

export interface Excess {
  readonly offset: number;
  readonly wrong: string;
  readonly right: string;
}

const tooDeep = 'Nothing in this file needs so many levels';
/** Tokens that the lexer adds; they are no part of the text. */
const added: readonly string[] = [CST.DOCUMENT, CST.FLOW_END, CST.SCALAR];

/** `null` when the text may be parsed. */
export function findExcess(text: string): Excess | null {
  if (text.length > maxBytes) return { offset: 0, wrong: 'the file is too large', right: 'A cluster file has some kilobytes' };
  let offset = 0;
  let lineStart = 0;
  let depth = 0;
  let tokens = 0;
  let isPlainText = false;
  for (const token of new Lexer().lex(text)) {
    const type = isPlainText ? 'text' : CST.tokenType(token);
    isPlainText = token === CST.SCALAR;
    if (added.includes(token)) continue;
    tokens += 1;
    if (tokens > maxTokens) return { offset, wrong: 'the file has too many parts', right: 'A cluster file has some hundred lines' };
    if (type === 'flow-map-start' || type === 'flow-seq-start') depth += 1;
    if (type === 'flow-map-end' || type === 'flow-seq-end') depth -= 1;
    if (depth > maxFlowDepth) return { offset, wrong: 'brackets are nested too deeply', right: tooDeep };
    const column = offset - lineStart;
    const indent = type === 'seq-item-ind' ? column : type === 'space' && column === 0 ? token.length : 0;
    if (indent > maxColumn && depth === 0) return { offset, wrong: 'lines are nested too deeply', right: tooDeep };
    if (type === 'explicit-key-ind') return { offset, wrong: 'a key is written with ?', right: 'Write it as key: value' };
    offset += token.length;
    if (type === 'newline') lineStart = offset;
  }
  return null;
}
