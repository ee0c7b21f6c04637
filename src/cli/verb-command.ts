/** A verb, which says of what was left out what would be right: the choices, or what it is for. */
import { Command, type ErrorOptions } from 'commander';

export class VerbCommand extends Command {
  override createCommand(name?: string): VerbCommand {
    return new VerbCommand(name);
  }

  override error(message: string, options?: ErrorOptions): never {
    const missing = this.#missing(message, options?.code);
    return super.error(missing === null ? message : `${message}: ${missing}`, options);
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
