/**
 * Refuses text that the YAML library could only read at a cost: some kilobytes of nested brackets exhaust its stack,
 * which may end the whole process and can't be caught reliably. Nothing here builds a tree or recurses; the text is
 * looked at token by token.
 */
import { CST, Lexer } from 'yaml';

const maxFlowDepth = 32;
const maxColumn = 120;
const maxTokens = 200_000;

export interface Excess {
  readonly offset: number;
  /** What is wrong, a full stop, what would be right. */
  readonly message: string;
}

const tooDeep = 'nested too deeply. Nothing in this file needs so many levels';
/** Tokens that the lexer adds; they are no part of the text. */
const added: readonly string[] = [CST.DOCUMENT, CST.FLOW_END, CST.SCALAR];

/** `null` when the text may be parsed. */
export function findExcess(text: string): Excess | null {
  let offset = 0;
  let lineStart = 0;
  let depth = 0;
  let tokens = 0;
  let isPlainText = false;
  for (const token of new Lexer().lex(text)) {
    const type = isPlainText ? 'text' : CST.tokenType(token);
    isPlainText = token === CST.SCALAR;
    if (token === CST.FLOW_END) depth = 0;
    if (added.includes(token)) continue;
    tokens += 1;
    if (tokens > maxTokens) return { offset, message: 'the file has too many parts. Some hundred lines are enough' };
    if (type === 'flow-map-start' || type === 'flow-seq-start') depth += 1;
    // A bracket too many closes nothing, and must not make room for more of them.
    if (type === 'flow-map-end' || type === 'flow-seq-end') depth = Math.max(0, depth - 1);
    if (depth > maxFlowDepth) return { offset, message: `brackets are ${tooDeep}` };
    const column = offset - lineStart;
    const indent = type === 'seq-item-ind' ? column : type === 'space' && column === 0 ? token.length : 0;
    if (indent > maxColumn && depth === 0) return { offset, message: `lines are ${tooDeep}` };
    if (type === 'explicit-key-ind') return { offset, message: 'a key is written with a question mark. key: value' };
    offset += token.length;
    if (type === 'newline') lineStart = offset;
  }
  return null;
}
