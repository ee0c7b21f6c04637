/** The fence and its watchdog: does it run, is it safe from the kernel's memory killer, does the device work? */
import { accessSync, constants, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { FenceStatus } from '../ports/fence.ts';
import { bad, ok } from './finding.ts';

const neverKilled = -1_000;
/** The kernel's default for software watchdogs. Far above any lease's TTL, so that others are primary before the reset. */
const longTimeoutS = 30;

/**
 * `null`: no fence answers, as on a node that has started nothing yet. `byItsUnit`: was the agent started by systemd? On
 * a stage nobody could protect the fence.
 */
export function checkFence(status: FenceStatus | null, byItsUnit: boolean): DoctorFinding {
  if (status === null) return ok('fence', 'no fence is needed yet');
  if (status.watchdog === 'failed') {
    const hint = 'read fence.log; the agent must be able to write to the device, and nobody else may hold it open';
    return bad('fence', 'failure', 'its watchdog can not be used', hint);
  }
  if (byItsUnit && status.oomScore > neverKilled) {
    const hint = 'take OOMScoreAdjust and ExecStart from packaging/understudy-agent.service';
    return bad('fence', 'warning', `its oom_score_adj is ${status.oomScore}: the kernel may kill it for memory`, hint);
  }
  return ok('fence', status.watchdog === 'none' ? 'it answers' : `it answers, its watchdog is ${status.watchdog}`);
}

/** Looks at the device without opening it, which would start it. */
export function checkWatchdog(device: string): DoctorFinding {
  try {
    accessSync(device, constants.W_OK);
  } catch (error) {
    const hint = 'load its driver, and let a udev rule give it to the user that the agent runs as';
    return bad('watchdog', 'failure', `${device}: ${describeError(error)}`, hint);
  }
  const timeoutS = readTimeoutS(device);
  if (timeoutS === null) return ok('watchdog', `${device} can be armed`);
  const text = `${device} resets this host after ${timeoutS} s`;
  if (timeoutS < longTimeoutS) return ok('watchdog', text);
  return bad('watchdog', 'warning', text, "give its driver a time near the lease's TTL, such as softdog soft_margin=6");
}

/** sysfs names the devices watchdogN; `/dev/watchdog` is the first of them (Documentation/watchdog/watchdog-api.rst). */
function readTimeoutS(device: string): number | null {
  const name = basename(device) === 'watchdog' ? 'watchdog0' : basename(device);
  try {
    const seconds = Number(readFileSync(`/sys/class/watchdog/${name}/timeout`, 'latin1'));
    return Number.isFinite(seconds) ? seconds : null;
  } catch {
    return null; // a kernel without CONFIG_WATCHDOG_SYSFS
  }
}
