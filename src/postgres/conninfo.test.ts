import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conninfo, parseConninfo, settingLine } from './conninfo.ts';

describe('conninfo', () => {
  it('reads back what it wrote', () => {
    const key = fc.constantFrom('host', 'sslkey', 'application_name', 'port');
    fc.assert(
      fc.property(fc.dictionary(key, fc.string()), (parts) => {
        expect(Object.fromEntries(parseConninfo(conninfo(parts)) ?? [])).toEqual({ ...parts });
      }),
    );
  });

  it('reads what administrators write', () => {
    expect(parseConninfo(" host = db1.test  port=5432 password='it\\'s' ")).toEqual(
      new Map([
        ['host', 'db1.test'],
        ['port', '5432'],
        ['password', "it's"],
      ]),
    );
    expect(parseConninfo('')).toEqual(new Map());
    expect(parseConninfo('postgres://somewhere')).toBeNull();
  });
});

describe('settingLine', () => {
  it('quotes, and refuses what can not be written on one line', () => {
    expect(settingLine('log_line_prefix', "it's \\ %m")).toBe("log_line_prefix = 'it''s \\\\ %m'");
    expect(() => settingLine('work_mem', '1MB\nport = 1')).toThrow(RangeError);
    expect(() => settingLine('a b', '1')).toThrow(RangeError);
  });
});
