/**
 * A transcript played again: the same text, with what is decided now under each sentence.
 *
 * A line is empty, a comment (`#`), recorded (indented by two spaces), or a sentence. The first sentence says whose agent
 * it is. Recorded lines are never read: whoever compares the answer with the text sees what differs, and where.
 */
import { Scene } from './scene.ts';
import { say } from './sentences.ts';
import { Telling } from './telling.ts';

const whose = /^seen by (db[123])$/;

/** Rejects with `file:line: …` where the transcript says what can't be understood, or can't happen. */
export async function replay(file: string, text: string): Promise<string> {
  const told: string[] = [];
  const telling = new Telling();
  let scene: Scene | null = null;
  try {
    for (const [index, line] of text.split('\n').entries()) {
      if (line.startsWith('  ')) continue;
      told.push(line);
      if (line === '' || line.startsWith('#')) continue;
      try {
        if (scene === null) {
          scene = await open(line, telling);
          continue;
        }
        await say(scene, line);
      } catch (error) {
        throw new Error(`${file}:${index + 1}: ${error instanceof Error ? error.message : String(error)}`);
      }
      if (scene.isRecording) told.push(...telling.take());
    }
  } finally {
    await scene?.close();
  }
  return told.join('\n');
}

async function open(line: string, telling: Telling): Promise<Scene> {
  const [, self] = whose.exec(line) ?? [];
  if (self === undefined) throw new Error(`first comes whose agent it is, such as "seen by db2", not: ${line}`);
  const scene = new Scene(self, telling);
  await scene.begin();
  return scene;
}
