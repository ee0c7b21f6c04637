/** Carries out `stage fault`: orders, healing, and the list of what is in force. */
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type Fault, readFaults } from '../stage/fault-ledger.ts';
import { isHeldDown } from '../stage/fault-strikes.ts';
import type { FaultOrder } from '../stage/fault-words.ts';
import { healFaults, openStage, refuseFault, type Struck, strikeFault } from '../stage/faults.ts';
import { lackOfKeeper } from '../stage/keeping.ts';
import { storeHosts } from '../stage/record.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import type { Call } from './call.ts';
import { ageText, bytesText, columns, countText } from './words.ts';

const clock = createLinuxClock();

export async function orderFault({ io, terminal }: Call, order: FaultOrder): Promise<number> {
  const struck = await strikeFault(openStage(io.cwd), io.cwd, order, clock);
  if (terminal.json) terminal.printJson(struckAsJson(struck));
  else terminal.print(struckLine(struck));
  return exitCodes.done;
}

/** Ends every member of the store, or one; those that are held down already are passed over. */
export async function stopStore(call: Call, member: number | null, forMs: number | null): Promise<number> {
  const { io, terminal } = call;
  const record = openStage(io.cwd);
  const members = storeHosts(record);
  const chosen = member === null ? members : members.slice(member - 1, member);
  if (chosen.length === 0)
    throw new UnderstudyError('NOT_FOUND', `the store has no member ${member}`, {
      hint: `it has ${members.map(({ name }, index) => `${index + 1} (${name})`).join(', ')}`,
    });
  const faults = readFaults(record);
  const isDown = ({ name }: { readonly name: string }): boolean => isHeldDown(faults, name, 'store');
  const down = chosen.filter(isDown).map(({ name }) => name);
  if (down.length === chosen.length)
    throw new UnderstudyError('REFUSED', `stopped already: ${down.join(', ')}`, {
      hint: 'understudy stage fault list; understudy stage fault heal',
    });
  const alive = chosen.filter((one) => !isDown(one));
  const orders = alive.map(({ name }): FaultOrder => ({ fault: 'kill', node: name, what: 'store', forMs }));
  // All of them or none: what is refused must not come after one that struck.
  for (const order of orders) refuseFault(record, order);
  const struck: Struck[] = [];
  for (const order of orders) struck.push(await strikeFault(record, io.cwd, order, clock));
  if (terminal.json) terminal.printJson(struck.map(struckAsJson));
  else terminal.print(...struck.map(struckLine), ...down.map((name) => `store of ${name} was stopped before`));
  return exitCodes.done;
}

export async function healStage({ io, terminal }: Call, node: string | null): Promise<number> {
  const healed = await healFaults(openStage(io.cwd), node);
  if (terminal.json) terminal.printJson(healed.map(asJson));
  else if (healed.length === 0) terminal.print('There was nothing to heal.');
  else terminal.print(...healed.map((fault) => `healed: ${describe(fault)}`));
  return exitCodes.done;
}

export async function listFaults({ io, terminal }: Call): Promise<number> {
  const record = openStage(io.cwd);
  const faults = readFaults(record);
  if (terminal.json) terminal.printJson(faults.map(asJson));
  else if (faults.length === 0) terminal.print('No fault is in force.');
  else terminal.print(...columns(faults.map((fault) => [String(fault.id), describe(fault), endText(fault)])));
  const lack = lackOfKeeper(record);
  if (lack !== null) terminal.note(`${lack.text}: ${lack.hint}`);
  return exitCodes.done;
}

function struckAsJson({ fault, hit, momentary }: Struck) {
  return { ...asJson(fault), hit, momentary };
}

function struckLine({ fault, hit, momentary }: Struck): string {
  const size =
    fault.fault === 'fill'
      ? `, ${bytesText(hit)}`
      : hasProcesses(fault)
        ? `, ${countText(hit, 'process', 'processes')}`
        : '';
  return `${describe(fault)}${size}${momentary ? '' : `, ${endText(fault)}`}`;
}

function hasProcesses({ fault }: Fault): boolean {
  return fault === 'kill' || fault === 'freeze';
}

function describe(fault: Fault): string {
  const { node } = fault;
  switch (fault.fault) {
    case 'kill':
      return fault.what === 'all' ? `${node} is gone` : `${fault.what} of ${node} was killed`;
    case 'freeze':
      return `${fault.what === 'all' ? 'everything' : fault.what} of ${node} is frozen`;
    case 'partition': {
      const others = fault.from === 'all' ? 'everybody' : fault.from.join(', ');
      if (fault.oneWay === 'in') return `${node} hears nothing of ${others}`;
      if (fault.oneWay === 'out') return `nothing from ${node} reaches ${others}`;
      return `${node} is cut off from ${others}`;
    }
    case 'fill':
      return `the disk of ${node} is full`;
    case 'freeze-disk':
      return `the disk of ${node} hangs`;
  }
}

function endText({ untilMs }: Fault): string {
  if (untilMs === null) return 'until it is healed';
  if (untilMs <= clock.boottimeMs()) return 'its time is over';
  return `for ${ageText(untilMs - clock.boottimeMs())}`;
}

function asJson({ untilMs, ...fault }: Fault) {
  return { ...fault, leftMs: untilMs === null ? null : Math.max(0, Math.round(untilMs - clock.boottimeMs())) };
}
