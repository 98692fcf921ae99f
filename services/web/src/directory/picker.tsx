import { useId } from "react";

export interface PickerOption<Id extends string> {
  readonly id: Id;
  readonly text: string;
}

/** One choice among named things, as the browser's own list: it works with every keyboard and every phone. */
export function Picker<Id extends string>(props: {
  label: string;
  value: Id | null;
  options: readonly PickerOption<Id>[];
  /** Shown when there is nothing to pick. */
  none: string;
  onPick(id: Id): void;
}) {
  const { label, value, options, none, onPick } = props;
  const selectId = useId();
  return (
    <div className="picker">
      <label htmlFor={selectId}>{label}</label>
      <select
        id={selectId}
        value={value ?? ""}
        disabled={options.length === 0}
        onChange={(event) => {
          const picked = options.find(({ id }) => id === event.target.value);
          if (picked) onPick(picked.id);
        }}
      >
        {options.some(({ id }) => id === value) || <option value="">{none}</option>}
        {options.map(({ id, text }) => (
          <option key={id} value={id}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}
