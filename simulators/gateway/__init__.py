"""The gateway simulator: subscribers with data, voice and SMS behaviour, on an independent Diameter stack."""
