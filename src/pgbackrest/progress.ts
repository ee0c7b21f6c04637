/**
 * How far a backup, a restore or a verification has come, by the lines that pgBackRest writes of each file.
 *
 * 2.45 tells percents of a backup and of a restore, and sizes that are rounded: the sum of them is about what was done, and
 * the total follows from both. Lines come in pieces.
 */
import type { TransferProgress } from '../ports/repository.ts';

const units: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 };

/** `(bundle 1/2633840, 8KB, 99.87%)`, `(5.4MB, 12.00%)`; unchanged files of a restore have other words between. */
const transferred = /^P\d+\s+(?:DETAIL|INFO): .*\((?:[^()]*, )?([\d.]+)(B|KB|MB|GB|TB), ([\d.]+)%\)/;

export class ProgressReader {
  readonly #tell: (progress: TransferProgress) => void;
  #rest = '';
  #bytesDone = 0;

  constructor(tell: (progress: TransferProgress) => void) {
    this.#tell = tell;
  }

  read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    let percent: number | null = null;
    for (const line of lines) {
      const [, size, unit = '', part] = transferred.exec(line) ?? [];
      if (size === undefined) continue;
      this.#bytesDone += Math.round(Number(size) * (units[unit] ?? 0));
      percent = Number(part);
    }
    // Once for each piece of output, whatever it holds.
    if (percent === null) return;
    const bytesTotal = percent === 0 ? null : Math.max(this.#bytesDone, Math.round((this.#bytesDone * 100) / percent));
    this.#tell({ bytesDone: this.#bytesDone, bytesTotal });
  }
}
