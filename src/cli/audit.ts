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

const acceptText = `
Examples:
  understudy audit accept pg1
  understudy audit accept pg1 --yes --json

Find out first why lines are missing: whoever wanted to hide what he did would have you accept it, too.
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
  audit
    .command('accept')
    .summary('accept that a log lacks what others know of it')
    .description(
      'Shows what is wrong with the log of a node, asks, and has the agent of another node write down that it may be as it is: its host was lost, or its disk restored.',
    )
    .argument('<node>', 'whose log', nodeName)
    .option('--yes', 'do not ask')
    .option('--json', 'print what was accepted as JSON')
    .addHelpText('after', acceptText)
    .action((node: string, _, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { readonly yes?: boolean }>();
      return perform(options, async (call) =>
        (await import('./audit-accept.ts')).acceptAudit(call, node, options.yes === true),
      );
    });
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
