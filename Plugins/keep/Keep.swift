// Keep
