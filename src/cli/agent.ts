/** `understudy agent`: the daemon itself. It takes its own signals, and writes its log to standard output. */
import type { Command } from 'commander';

const examples = `
Example:
  understudy agent --config /etc/understudy/node.yaml
`;

export function declareAgent(program: Command): void {
  program
    .command('agent')
    .summary('the daemon of a node; a service manager runs it')
    .description('Runs the agent of one node until SIGTERM. PostgreSQL and the pooler outlive it.')
    .requiredOption('--config <file>', 'the node file')
    .addHelpText('after', examples)
    .action(async (options: { readonly config: string }) => {
      const { runAgent } = await import('../composition/run-agent.ts');
      await runAgent(options.config);
    });
}
