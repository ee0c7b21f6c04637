/** All stories: what chance alone finds only once in tens of thousands of seeds. */
import { durabilityStories } from './durability-stories.ts';
import { electionStories } from './election-stories.ts';
import type { Story } from './story.ts';
import { switchoverStories } from './switchover-stories.ts';

export const stories: readonly Story[] = [...electionStories, ...durabilityStories, ...switchoverStories];

export function findStory(name: string): Story | undefined {
  return stories.find((known) => known.name === name);
}
