/** How it reads that the automation is inert; the same words in every verb. */
import type { HandsOffStatus } from '../core/status.ts';
import { ageText } from './words.ts';

export function handsOffText({ leftMs, by }: HandsOffStatus): string {
  return `HANDS OFF for another ${ageText(leftMs)}, as ${by} asked: nothing fails over, starts or is cloned`;
}
