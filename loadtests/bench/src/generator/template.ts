import { markerDigits } from "./marker-scanner.ts";
import type { Template } from "./specs.ts";

let runs = 0;

/** Something that no other run of any generator has: ids that a store remembers are made of it. */
export function newRunName(): string {
  runs++;
  return `${process.pid.toString(36)}-${Date.now().toString(36)}-${runs}`;
}

/**
 * Compiles a template once, for the many times that it is filled in. `{time}` is a time that goes up with the number, a
 * millisecond each.
 */
export function compileTemplate(
  template: Template,
  run: string,
): (topic: number, number?: number) => string {
  const parts = template.replaceAll("{run}", run).split(/(\{n\}|\{digits\}|\{time\})/);
  const startMs = Date.now();
  return (topic, number = 0) => {
    let text = "";
    for (const part of parts) {
      if (part === "{n}") text += topic;
      else if (part === "{digits}") text += markerDigits(number);
      else if (part === "{time}") text += new Date(startMs + number).toISOString();
      else text += part;
    }
    return text;
  };
}
