/** How an event reads. */
import { type EventRecord, eventCatalogue, eventSentence, type Severity } from '../events/catalogue.ts';
import type { Paint, Tone } from './terminal.ts';
import { oneLine } from './words.ts';

const tones: Partial<Record<Severity, Tone>> = { warning: 'yellow', alarm: 'red', info: 'dim' };

export function eventLine(event: EventRecord, paint: Paint): string {
  const tone = tones[eventCatalogue[event.name].severity];
  const sentence = oneLine(eventSentence(event));
  return `${String(event.sequence).padStart(5)}  ${event.at}  ${event.node}  ${tone === undefined ? sentence : paint(tone, sentence)}`;
}
