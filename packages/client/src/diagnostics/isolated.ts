/** What a listener throws is its own: as with diagnostics_channel it ends the process, and no transaction that was under way. */
export function isolated(work: () => void): void {
  try {
    work();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
