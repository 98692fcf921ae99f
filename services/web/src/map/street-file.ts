import { STREET_KINDS, type Street, type StreetMap } from "./street.ts";

/**
 * The streets of a city as one compact file:
 *
 *     "LSM1", origin latitude and longitude (float64), metres per unit (float32)
 *     count of names, then each: length in bytes, UTF-8
 *     for each kind of street: count, then each: name (0 is none, else index + 1), count of points,
 *     and the points as differences from the point before, the first one from the last of the street before
 *
 * Counts are LEB128 varints; differences are zigzag varints in whole units. Numbers are little-endian.
 */
const MAGIC = "LSM1";
const HEADER_BYTES = 4 + 8 + 8 + 4;

/** Half a metre: a third of a pixel where the map is largest. */
export const METERS_PER_UNIT = 0.5;

export function encodeStreets(map: StreetMap, metersPerUnit = METERS_PER_UNIT): Uint8Array {
  const text = new TextEncoder();
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  new Uint8Array(header.buffer).set(text.encode(MAGIC));
  header.setFloat64(4, map.origin.lat, true);
  header.setFloat64(12, map.origin.lng, true);
  header.setFloat32(20, metersPerUnit, true);
  const bytes: number[] = [...new Uint8Array(header.buffer)];

  const names = [...new Set(map.streets.flatMap(({ name }) => name ?? []))].sort();
  const nameIndex = new Map(names.map((name, index) => [name, index + 1]));
  writeVarint(bytes, names.length);
  for (const name of names) {
    const encoded = text.encode(name);
    writeVarint(bytes, encoded.length);
    bytes.push(...encoded);
  }

  let lastX = 0;
  let lastY = 0;
  for (const kind of STREET_KINDS) {
    const streets = map.streets.filter((street) => street.kind === kind);
    writeVarint(bytes, streets.length);
    for (const { name, points } of streets) {
      writeVarint(bytes, name === null ? 0 : (nameIndex.get(name) ?? 0));
      writeVarint(bytes, points.length / 2);
      for (let i = 0; i < points.length; i += 2) {
        const x = Math.round((points[i] ?? 0) / metersPerUnit);
        const y = Math.round((points[i + 1] ?? 0) / metersPerUnit);
        writeVarint(bytes, zigzag(x - lastX));
        writeVarint(bytes, zigzag(y - lastY));
        lastX = x;
        lastY = y;
      }
    }
  }
  return Uint8Array.from(bytes);
}

/** @throws {RangeError} when the bytes are no such file, or end too early. */
export function decodeStreets(bytes: Uint8Array): StreetMap {
  const text = new TextDecoder();
  if (bytes.length < HEADER_BYTES || text.decode(bytes.subarray(0, 4)) !== MAGIC) {
    throw new RangeError("not a file of streets");
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const origin = { lat: header.getFloat64(4, true), lng: header.getFloat64(12, true) };
  const metersPerUnit = header.getFloat32(20, true);
  let at = HEADER_BYTES;

  function readVarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("the file of streets ends too early");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  const names: string[] = [];
  for (let left = readVarint(); left > 0; left--) {
    const length = readVarint();
    names.push(text.decode(bytes.subarray(at, at + length)));
    at += length;
  }

  const streets: Street[] = [];
  let x = 0;
  let y = 0;
  for (const kind of STREET_KINDS) {
    for (let left = readVarint(); left > 0; left--) {
      const name = names[readVarint() - 1] ?? null;
      const points = new Float32Array(readVarint() * 2);
      for (let i = 0; i < points.length; i += 2) {
        x += unzigzag(readVarint());
        y += unzigzag(readVarint());
        points[i] = x * metersPerUnit;
        points[i + 1] = y * metersPerUnit;
      }
      streets.push({ kind, name, points });
    }
  }
  return { origin, streets };
}

function writeVarint(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
