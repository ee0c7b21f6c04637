/** `understudy audit`: who ordered what, and what agents did; and whether anybody has changed the record of it. */
import { type Command, InvalidArgumentError } from 'commander';
import type { CommonOptions, Perform } from './call.ts';
import { duration, nodeName } from './option-values.ts';

interface AuditOptions extends CommonOptions {
  readonly node?: string;
  readonly since: (nowMs: number) => number;
}

const dayMs = 86_400_000;
const examples = `
Examples:
  understudy audit
  understudy audit --node pg0 --since 2h
  understudy audit --since 2026-11-19T14:00Z --json
  understudy audit verify
`;
const verifyText = `
Examples:
  understudy audit verify
  understudy audit verify --json | jq '.nodes[].findings'

Exit code 1: a log was changed; 4: none was, and some agent did not answer.
`;

export function declareAudit(program: Command, perform: Perform): void {
  const audit = program
    .command('audit')
    .summary('who ordered what, and whether that record is intact')
    .description(
      'Prints the audit logs of all agents: logins, orders and what became of them, refusals, promotions. With `verify` holds them against each other and against the store.',
    )
    .option('--node <node>', 'only the log of this node', nodeName)
    .option('--since <when>', 'a time (ISO 8601), or how long ago', moment, (nowMs: number) => nowMs - dayMs)
    .option('--json', 'print one JSON object per line')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<AuditOptions>();
      return perform(options, async (call) => (await import('./audit-show.ts')).showAudit(call, options));
    });
  audit
    .command('verify')
    .summary('look for changes to any log')
    .description(
      "Reads every agent's log and verifies it here: that each line follows the one before, and that all of what the store and other agents' logs know of it is still there.",
    )
    .option('--json', 'print the report as JSON')
    .addHelpText('after', verifyText)
    .action((_, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async (call) =>
        (await import('./audit-verify.ts')).verifyAudit(call),
      ),
    );
}

function moment(value: string): AuditOptions['since'] {
  if (!/^\d{4}-/.test(value)) {
    const ms = duration(value);
    return (nowMs) => nowMs - ms;
  }
  const atMs = Date.parse(value);
  if (Number.isNaN(atMs))
    throw new InvalidArgumentError('A time such as 2026-11-19T14:00Z is needed, or a duration such as 2h.');
  return () => atMs;
}
