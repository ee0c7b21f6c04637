/** All stories: what chance alone finds only once in tens of thousands of seeds. */
import { durabilityStories } from './durability.ts';
import { electionStories } from './election.ts';
import type { Story } from './story.ts';
import { switchoverStories } from './switchover.ts';

export const stories: readonly Story[] = [...electionStories, ...durabilityStories, ...switchoverStories];

export function findStory(name: string): Story | undefined {
  return stories.find((known) => known.name === name);
}
