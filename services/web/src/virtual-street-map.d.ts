declare module "virtual:street-map" {
  /** The address of the file of streets, which the build makes. */
  export const streetMapUrl: string;
}
