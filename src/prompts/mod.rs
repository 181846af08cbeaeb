//! Owns prompts.
