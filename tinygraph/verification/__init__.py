"""Is a derivative right? The engine's own, held against independent ways; a claimed one, and which mistake it has."""
