/** `understudy certificates revoke`: takes back what was issued: one certificate, or all of a node or a person. */
import type { Command } from 'commander';
import type { RevocationAnswer } from '../api/contract/certificates.ts';
import { type RevocationTarget, serialAsListed } from '../core/revocation.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { confirm } from './confirmation.ts';
import { columns, countText } from './words.ts';

interface RevokeOptions extends CommonOptions {
  readonly node?: string;
  readonly operator?: string;
  readonly viewer?: string;
  readonly yes?: boolean;
}

const orderWithinMs = 10_000;
const help = `
Examples:
  understudy certificates revoke 5F3A09C2E14B7D60A1B2C3D4E5F60718
  understudy certificates revoke --node app1        all whose keys lie there
  understudy certificates revoke --operator kim

Agents refuse a revoked certificate at once and end its connections; PostgreSQL refuses it within a second or so, and its
sessions are ended. Nobody renews it. There is no way back: what shall work again gets another certificate. Without --yes you
are asked; with it you may also take your own last way in. Exit code 3: no such certificate, or not without --yes.
`;

export function declareRevocation(certificates: Command, perform: Perform): void {
  certificates
    .command('revoke')
    .summary('take certificates back')
    .description('Revokes one certificate by its serial number, or all that a node or a person has.')
    .argument('[serial]', 'as understudy certificates lists it')
    .option('--node <node>', 'all whose keys lie on this node')
    .option('--operator <name>', 'all of this operator')
    .option('--viewer <name>', 'all of this viewer')
    .option('--yes', 'do not ask')
    .option('--json', 'print what was revoked as JSON')
    .addHelpText('after', help)
    .action((serial: string | undefined, _, command: Command) => {
      const options = command.optsWithGlobals<RevokeOptions>();
      return perform(options, (call) => revoke(call, serial, options));
    });
}

async function revoke(call: Call, serial: string | undefined, options: RevokeOptions): Promise<number> {
  const target = targetOf(serial, options);
  const access = await call.cluster();
  await confirm(call, `This can't be undone: revoke ${whatOf(target)}.`, options.yes === true);
  const request = { target, lastWayIn: options.yes === true };
  const answer = await access.order((client, asking) => client.revokeCertificates(request, asking), orderWithinMs);
  if (call.terminal.json) call.terminal.printJson(answer);
  else call.terminal.print(...lines(answer));
  return exitCodes.done;
}

function targetOf(serial: string | undefined, { node, operator, viewer }: RevokeOptions): RevocationTarget {
  const targets: RevocationTarget[] = [
    ...(serial === undefined ? [] : [{ of: 'serial', serial: serialAsListed(serial) } as const]),
    ...(node === undefined ? [] : [{ of: 'node', name: node } as const]),
    ...(operator === undefined ? [] : [{ of: 'operator', name: operator } as const]),
    ...(viewer === undefined ? [] : [{ of: 'viewer', name: viewer } as const]),
  ];
  const [target, ...others] = targets;
  if (target === undefined || others.length > 0) {
    throw new UnderstudyError('REQUEST_INVALID', 'say which: a serial number, --node, --operator or --viewer', {
      hint: 'understudy certificates lists them',
    });
  }
  if (target.of === 'serial' && !/^[0-9A-F]{1,40}$/.test(target.serial)) {
    throw new UnderstudyError('REQUEST_INVALID', `${JSON.stringify(serial)} is no serial number`, {
      hint: 'understudy certificates lists them in hexadecimal digits',
    });
  }
  return target;
}

function whatOf(target: RevocationTarget): string {
  return target.of === 'serial'
    ? `the certificate ${target.serial}`
    : `all certificates of ${target.of} ${target.name}`;
}

function lines({ newly, revoked }: RevocationAnswer): readonly string[] {
  const verdict =
    newly === 0
      ? `Revoked before: ${countText(revoked.length, 'certificate')}.`
      : `${countText(newly, 'certificate')} revoked.`;
  const rows = revoked.map((one) => [one.kind, one.name, one.where ?? '-', one.serial]);
  return [verdict, ...columns(rows)];
}
