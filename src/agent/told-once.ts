/** Tells a line when it is another one than before; `null`: all is well, and the same line is news again. */
export function toldOnce(tell: (text: string) => void): (text: string | null) => void {
  let told: string | null = null;
  return (text) => {
    if (text !== null && text !== told) tell(text);
    told = text;
  };
}
