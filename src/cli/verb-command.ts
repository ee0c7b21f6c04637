/** A verb, which says of what was left out what would be right: the choices, or what it is for. */
import { Command, type ErrorOptions, type HelpContext } from 'commander';
import { closest } from '../config/spelling.ts';

export class VerbCommand extends Command {
  override createCommand(name?: string): VerbCommand {
    return new VerbCommand(name);
  }

  override error(message: string, options?: ErrorOptions): never {
    const missing = this.#missing(message, options?.code);
    return super.error(missing === null ? message : `${message}: ${missing}`, options);
  }

  /** Commander shows the help of all verbs when it is asked for that of one that it does not know. */
  override help(context?: HelpContext): never;
  override help(change: (text: string) => string): never;
  override help(asked?: HelpContext | ((text: string) => string)): never {
    if (typeof asked === 'function') return super.help(asked);
    const [verb, wanted] = this.args;
    if (verb !== 'help' || wanted === undefined || asked?.error !== true) return super.help(asked);
    const near = closest(
      wanted,
      this.createHelp()
        .visibleCommands(this)
        .map((each) => each.name()),
    );
    const suggestion = near === undefined ? '' : `\n(Did you mean ${near}?)`;
    return this.error(`error: unknown command '${wanted}'${suggestion}`, { code: 'commander.unknownCommand' });
  }

  /** Commander names what is missing by its flags or its name, in quotation marks. */
  #missing(message: string, code: string | undefined): string | null {
    const name = /'([^']+)'/.exec(message)?.[1];
    const isOption = code === 'commander.missingMandatoryOptionValue';
    if (!isOption && code !== 'commander.missingArgument') return null;
    const found = isOption
      ? this.options.find(({ flags }) => flags === name)
      : this.registeredArguments.find((argument) => argument.name() === name);
    if (found === undefined) return null;
    const choices = found.argChoices ?? [];
    return choices.length > 0 ? `one of ${choices.join(', ')}` : found.description || null;
  }
}
